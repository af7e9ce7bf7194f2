"""The three forms of a report.

`EDGEKIT_GOLDEN=write pytest tests/report` writes the golden text anew; read the diff before you commit it.
"""

import base64
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.report.forms import html, markdown, text
from edgekit.report.record import BundleRecord
from edgekit.report.report import Report
from edgekit.report.sections.outline import NOT_THE_TARGET, outline
from edgekit.samples import Sampling
from edgekit.specs.target import Emulation
from edgekit.untrusted.markdown import escape
from tests.parity.examples import environment
from tests.report.examples import ORIN, TARGET, built, compared, emulated, failed, made, passed, served, stood_in

GOLDEN = Path(__file__).parents[1] / "golden" / "report"
REPORTS = {
    "passed": passed,
    "failed": failed,
    "built": built,
    "stood_in": stood_in,
    "emulated": emulated,
    "served": served,
}
FORMS = (text.render, markdown.render, html.render)
Render = Callable[[Sequence[Report]], str]


@pytest.mark.parametrize(
    ("name", "form", "render"),
    [
        *((name, "txt", text.render) for name in REPORTS),
        ("failed", "md", markdown.render),
        ("built", "md", markdown.render),
        ("served", "md", markdown.render),
        ("stood_in", "html", html.render),
        ("served", "html", html.render),
    ],
)
def test_a_report_reads_as_it_did(name: str, form: str, render: Render) -> None:
    golden, rendered = GOLDEN / f"{name}.{form}", render([REPORTS[name]()])
    if os.environ.get("EDGEKIT_GOLDEN") == "write":
        golden.write_text(rendered, "utf-8")
    assert rendered == golden.read_text("utf-8")


@pytest.mark.parametrize(("render", "start"), [(text.render, "FAILED  "), (markdown.render, "## FAILED: ")])
def test_the_verdict_is_the_first_word_of_the_first_line(render: Render, start: str) -> None:
    assert render([failed()]).startswith(start)


@pytest.mark.parametrize("render", FORMS)
def test_a_host_that_stood_in_is_named_loudly(render: Render) -> None:
    for report in (built(), stood_in()):
        assert NOT_THE_TARGET in render([report]).replace("&#x27;", "'")
        assert "candidate (host, not the target)" in render([report])
    assert "HOST, NOT" not in render([passed()])


@pytest.mark.parametrize("render", FORMS)
def test_an_emulated_device_shows_its_count_its_parity_and_how_samples_were_taken(render: Render) -> None:
    page = render([emulated()]).replace("&#x27;", "'")
    assert "138,398 an inference" in page
    assert "equal to the host's, or off by one step in 0.3 % of values; every answer is the same" in page
    assert "10,000 of 60,000, stratified by class" in page
    assert "counts instructions and has no time of its own" in page
    assert "an inference" not in render([passed()])


@pytest.mark.parametrize("render", FORMS)
def test_what_was_done_to_pictures_is_counted(render: Render) -> None:
    changes = ("41 of 240 pictures: the orientation in the file was applied",)
    sampling = Sampling(240, 240, stratified=False, changes=changes)
    assert changes[0] in render([made(compared(60, environment()), sampling=sampling)])
    assert "pictures" not in render([passed()])


@pytest.mark.parametrize("render", FORMS)
def test_another_core_than_the_targets_is_named_loudly(render: Render) -> None:
    warning = "AN EMULATED CORTEX-A76 STOOD IN FOR JETSON ORIN NANO: QEMU 10 has no cortex-a78ae."
    assert warning in render([emulated(target=ORIN)])
    assert "STOOD IN" not in render([emulated()])
    assert "STOOD IN" not in render([made(compared(60, environment()), target=ORIN)])


@pytest.mark.parametrize("render", FORMS)
def test_a_device_of_another_target_is_told(render: Render) -> None:
    smaller = TARGET.model_copy(update={"emulation": Emulation(qemu_cpu="cortex-a72")})
    assert "AN EMULATED CORTEX-A76 STOOD IN FOR RASPBERRY PI 5" in render([emulated(target=smaller)])


@pytest.mark.parametrize("render", FORMS)
def test_several_targets_make_one_page(render: Render) -> None:
    page = render([passed(), failed()])
    assert page.index("PASSED") < page.index("FAILED")
    shown_once = re.sub(r"<nav.*?</nav>|aria-label=\S+ \S+ \S+ \S+", "", page, flags=re.DOTALL)
    assert shown_once.count("Sample by sample") == 2


def test_a_latency_is_never_without_its_count() -> None:
    for report in (passed(), failed(), stood_in()):
        latencies = [line for line in text.render([report]).splitlines() if line.startswith("  latency p")]
        assert latencies
        for line in latencies:
            assert len(re.findall(r"\([\d,]+ runs", line)) == 2


def test_a_percentile_that_neither_side_supports_is_not_shown() -> None:
    few = compared(60, environment(), runs=63)
    report = made(few)
    quick = report.model_copy(update={"reference": report.candidate})
    page = text.render([quick])
    assert "latency p50" in page
    assert "latency p90" not in page


def test_a_percentile_that_one_side_supports_is_shown_for_that_side_alone() -> None:
    page = text.render([made(compared(60, environment(), runs=63))])
    assert re.search(r"latency p90 +4 ms \(700 runs\) +too few \(63 runs\)", page)


def test_every_gate_that_did_not_pass_is_explained() -> None:
    notes = outline(failed()).sections[0].notes
    assert [note.split(".")[0] for note in notes] == [
        "accuracy_drop failed",
        "agreement failed",
        "latency_p50_ms undecided",
    ]
    assert outline(passed()).sections[0].notes == ()


NASTY = "a|b\n<script>alert('x')</script> [x](y) *z* `q` \x1b[31m"


def nasty() -> Report:
    """A report whose device and runtime call themselves all that a page might take for its own."""
    where = replace(environment(), cpu=NASTY, runtime=NASTY)
    bundle = BundleRecord(path=NASTY, digest="d" * 64, signer=NASTY)
    return made(compared(60, where), device=NASTY, bundle=bundle)


def test_text_holds_no_terminal_escape_and_no_line_of_a_device() -> None:
    page = text.render([nasty()])
    assert "\x1b" not in page
    assert not any(line.startswith("<script>") for line in page.splitlines())


def test_markdown_shows_what_looks_like_markdown() -> None:
    page = markdown.render([nasty()])
    assert r"a\|b &lt;script&gt;alert('x')&lt;/script&gt; \[x\](y) \*z\* \`q\`" in page
    assert "<script>" not in page
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in page.splitlines() if line.startswith("| runs on")}
    assert cells == {4}


@given(st.text())
def test_markdown_leaves_no_letter_that_means_something_bare(letters: str) -> None:
    escaped = escape(letters)
    assert unescape(re.sub(r"\\(.)", r"\1", escaped, flags=re.DOTALL)) == unescape(letters.replace("&", "&amp;"))
    bare = re.sub(r"\\.|&(amp|lt|gt);", "", escaped, flags=re.DOTALL)
    assert not set("|<>*`[]_#&") & set(bare)


class Tags(HTMLParser):
    """Every tag of a page, every attribute, and whether what was opened was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    return tags


def test_html_is_one_file_that_runs_nothing_and_fetches_nothing() -> None:
    page = html.render([passed(), failed(), built(), stood_in(), served(), nasty()])
    tags = parsed(page)
    assert tags.tags <= {
        "html", "head", "meta", "title", "style", "body", "main", "header", "article", "section", "nav", "div", "h1",
        "h2", "h3", "span", "p", "b", "br", "small", "code", "pre", "a", "bdi", "ul", "ol", "li", "dl", "dt", "dd",
        "details", "summary", "figure", "figcaption", "table", "tr", "th", "td", "svg", "desc", "text", "tspan", "path",
        "line", "rect", "circle", "defs", "pattern",
    }  # fmt: skip
    assert tags.attributes <= {
        "lang", "charset", "http-equiv", "name", "content", "class", "id", "href", "scope", "role", "tabindex",
        "aria-label", "aria-hidden", "viewbox", "x", "y", "d", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width",
        "height", "text-anchor", "opacity", "patternunits", "patterntransform",
    }  # fmt: skip
    assert all(link.startswith("#report-") for link in re.findall('href="([^"]*)"', page))
    assert set(re.findall(r"url\([^)]*\)", page)) == {"url(#hatch)", "url(#cross)"}
    assert "@import" not in page


def test_the_policy_of_a_page_allows_its_own_stylesheet_and_nothing_else() -> None:
    page = html.render([passed()])
    style = re.search("<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = re.search('http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")


def test_a_page_of_several_reports_shows_no_control_character_of_a_report() -> None:
    odd = failed().model_copy(update=dict.fromkeys(("target", "profile", "backend"), "a\u202eb\x1b[31m"))
    assert not {"\u202e", "\x1b"} & set(html.render([odd, passed()]))


def test_html_shows_what_looks_like_html() -> None:
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in html.render([nasty()])


def test_html_is_small_and_reads_in_the_dark() -> None:
    page = html.render([passed()])
    assert len(page) < 60_000
    assert "color-scheme: light dark" in page
    assert "prefers-color-scheme: dark" in page
    assert "forced-colors: active" in page
    assert "@media print" in page


def test_a_report_without_a_bundle_or_gates_still_reads() -> None:
    report = made(compared(60, environment()), bundle=None).model_copy(update={"gates": ()})
    assert "Gates\n  none\n" in text.render([report])
    assert "### Gates\n\nnone\n" in markdown.render([report])
    assert "<h2>Gates</h2>\n<p>none</p>" in html.render([report])
