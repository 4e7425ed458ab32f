// The report that stands alone: what the job's page shows, from the data inside the document.

import { fill } from "../core/dom.js";
import { jobHeader, specification } from "../views/job_header.js";
import { resultView } from "../views/result.js";

const { job, result, cells } = JSON.parse(document.getElementById("data").textContent);
fill(document.getElementById("report"), jobHeader(job), resultView(result, cells), specification(job));
