"""The formula of every kind as MathML: read to its end, well-formed, of elements that browsers set."""

from xml.etree import ElementTree

import pytest

from api.pages.notation import mathml
from models.catalogue import FAMILIES

MATHML = "{http://www.w3.org/1998/Math/MathML}"
CORE = {"math", "mi", "mn", "mo", "mspace", "mtext"} | {"mfrac", "mover", "mroot", "mrow", "msqrt", "mstyle", "msub"}
CORE |= {"msubsup", "msup", "mtable", "mtd", "mtr", "munder", "munderover"}
"""What formulas need of MathML Core."""

EVERY_KIND = [
    pytest.param(leaf, id=f"{family}-{kind}") for family in FAMILIES for kind, leaf in FAMILIES[family].items()
]


def read(formula: str, alternative: str = "words") -> ElementTree.Element:
    return ElementTree.fromstring(str(mathml(formula, alternative)))  # noqa: S314  our own markup


@pytest.mark.parametrize("leaf", EVERY_KIND)
class TestAFormula:
    def test_is_well_formed_display_mathml(self, leaf):
        root = read(leaf.formula, leaf.statement)
        assert root.tag == MATHML + "math"
        assert root.get("display") == "block"
        assert root.get("alttext") == leaf.statement
        assert {node.tag.removeprefix(MATHML) for node in root.iter()} <= CORE

    def test_holds_no_command_that_was_not_read(self, leaf):
        shown = "".join(read(leaf.formula).itertext())
        assert not set(shown) & set("\\&_$")

    def test_writes_nothing_that_the_policy_or_browsers_refuse(self, leaf):
        for node in read(leaf.formula).iter():
            assert "style" not in node.attrib
            assert node.get("mathvariant", "normal") == "normal"


@pytest.mark.parametrize("formula", [r"\nonsense x", r"\begin{aligned} a &= b \end{aligned}", r"a \\ b"])
def test_what_is_not_converted_is_refused(formula):
    with pytest.raises(ValueError, match="is not converted to MathML"):
        mathml(formula, "words")


def test_plain_text_is_escaped():
    assert read("x", 'a < b & "c"').get("alttext") == 'a < b & "c"'


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        ("f^*", "<msup><mi>f</mi><mo>&#x02217;</mo></msup>"),
        ("|c|", '<mo stretchy="false" lspace="0" rspace="0">&#x0007C;</mo><mi>c</mi>'),
        (r"2 \ln x", '<mn>2</mn><mo lspace="0.167em" rspace="0.167em">ln</mo><mi>x</mi>'),
        (r"= \cos(x)", '<mo lspace="0" rspace="0">cos</mo><mo stretchy="false">&#x00028;</mo>'),
        (r"x \max\limits_t y", '<mi>x</mi><munder><mo lspace="0.167em" rspace="0.167em">max</mo><mi>t</mi></munder>'),
    ],
)
def test_spaces_and_signs_are_those_of_tex(formula, shown):
    assert shown in mathml(formula, "words")
