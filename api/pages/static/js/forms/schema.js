// What a JSON Schema of the catalogue asks for. No kind is named here: a new one appears by itself.

/** A schema with its reference followed; what stands beside the reference wins. */
export function resolved(root, schema) {
  if (!schema.$ref) return schema;
  const { $ref, ...beside } = schema;
  return { ...resolved(root, root.$defs[$ref.split("/").at(-1)]), ...beside };
}

const isNull = (schema) => schema.type === "null";

/** The choices of a union without null, and whether null is one. */
export function union(schema) {
  const choices = schema.anyOf ?? schema.oneOf ?? [schema];
  return { choices: choices.filter((choice) => !isNull(choice)), optional: choices.some(isNull) };
}

/** How a schema is edited: kinds, several, object, choice, boolean, number, text, list, constant or json. */
export function editor(root, schema) {
  if (schema.discriminator) return "kinds";
  if ("const" in schema) return "constant";
  if (schema.enum) return "choice";
  if (schema.anyOf || schema.oneOf) {
    const { choices } = union(schema);
    if (choices.length === 1) return editor(root, resolved(root, choices[0]));
    const several = choices.length === 2 && choices[0].discriminator && choices[1].type === "array" && choices[1].items?.discriminator;
    return several ? "several" : "alternatives";
  }
  if (schema.type === "boolean") return "boolean";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "string") return "text";
  if (schema.type === "object" && schema.properties) return "object";
  if (schema.type === "array" && ["integer", "number", "string"].includes(schema.items?.type)) return "list";
  return "json";
}

/** The schema that is edited: a union with null is its other choice. */
export function inner(root, schema) {
  const { choices } = schema.discriminator ? { choices: [schema] } : union(schema);
  return choices.length === 1 ? { ...resolved(root, choices[0]), ...("default" in schema && { default: schema.default }), description: schema.description ?? choices[0].description, title: schema.title ?? choices[0].title } : schema;
}

/** A value to begin with for what has no default: the one of an example, where a catalogue has it. */
export function withExample(kind, properties, examples) {
  const fitting = examples.find((example) => example.kind === kind && Object.keys(example).every((name) => name in properties));
  return fitting ?? { kind };
}
