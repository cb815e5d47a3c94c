"""HTML is compared by what a reader sees, and in a time that grows with its length alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.writing.html import filled, stripped
from target_vitally.mapping.markup import same_html

SAME = [
    ("<p>Hi</p>", "Hi"),
    ("<p>Pay 1&nbsp;000\n EUR</p>", "<div>Pay 1 000 EUR</div>"),
    ("a &lt; b", "a < b"),
    ("<b>x</b> y", "<strong>x</strong> y"),
    ("<i><b>x</b></i>", "<b><em>x</em></b>"),
    ("<b>x", "<b>x</b>"),
    ("<ul><li>a<li>b</ul>", "<ul>\n<li> a</li>\n<li>b</li>\n</ul>"),
    ("a<br/>b", "a<br>b"),
    ("a <br> b", "a<br>b"),
    ('<a href="x" class="y" rel=z>l</a>', "<a href='x'>l</a>"),
    ('<p style="color: red">Hi <span>you</span></p>', "<p>Hi you</p>"),
    ("x<!-- a > b -->y", "xy"),
    ("<h1>Title</h1>text", "Titletext"),
    ("<script>alert(1)</script>Hi", "Hi"),
    ("<script>alert(1)</script>Hi", "alert(1)Hi"),
    ("{{ a.b }} x", "{{a.b}} x"),
    ("Plan {{account.traits.plan}}!", "Plan gold!"),
    ("Plan <b>{{account.traits.plan}}</b> now", "Plan <b></b> now"),
    ("Plan {{account.traits.plan}} and {{other}}", "Plan gold and {{other}}"),
    ('<a href="/x/{{account.traits.no}}">l</a>', '<a href="/x/7">l</a>'),
]
OTHER = [
    ("Pay 1 000 EUR", "Pay 1000 EUR"),
    ("seats < 5 of plan > 3", "seats < 9 of plan > 3"),
    ("<img src=a>", "<img src=b>"),
    ("<img src=a alt=x>", "<img src=a>"),
    ("x<img src=a>", "x"),
    ("<a href=a>x</a>", "<a href=b>x</a>"),
    ("<a href=a>x</a>", "x"),
    ("<b>x</b>", "x"),
    ("<b>x</b>", "<i>x</i>"),
    ("<code>x</code>", "x"),
    ("<ul><li>a</ul>", "<ol><li>a</ol>"),
    ("<ul><li>a<li>b</ul>", "<ul><li>a b</ul>"),
    ("<p>a</p><p>b</p>", "<p>a b</p>"),
    ("a<br>b", "a b"),
    ("a<br><br>b", "a<br>b"),
    ("{{a}} x", "{{b}} x"),
    ("{{a}} x", "{{a}} y"),
    ("{{a}} and {{b}}", "{{b}} and {{a}}"),
    ("Plan {{a}}!", "Plan gold?"),
    ("&lt;b&gt;x", "<b>x</b>"),
    ("ab", "a b"),
]
HOSTILE = [
    *("<", "<!--", "<script", "<script>", "<a ", "</", "<![CDATA[", "<![CDATA[>", "<![x[>", "<?"),
    *(
        '<a href="',
        "<a href='x'",
        "<a/",
        "<a b=",
        "<b>x",
        "<ul><li>",
        "<a href=x>y",
        "&",
        "&#",
        "{{",
    ),
    *("{{ ", "{{a}} ", "{{a}}", " ", "x<b> </b>", '<a "', "<a b='c\" ", "<br>", "</b>", "<p>"),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_what_looks_alike_is_no_change(one: str, two: str) -> None:
    assert same_html(one, two)


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_what_a_reader_sees_is_a_change(one: str, two: str) -> None:
    assert not same_html(one, two)
    assert not same_html(two, one)


def test_a_placeholder_that_a_row_does_not_have_is_a_change() -> None:
    assert not same_html("x", "{{a}} x")


PARTS = st.sampled_from(
    [
        *("<p>", "</p>", "<b>", "</b>", "<script>", "</script>", "<i>", "<h1>", "</a>", "<ul>"),
        *("<a href='x' rel=y>", "<li class=z>", "</ul>", "<img src=x onload=y>", "<br/>", "<x-y>"),
        *(" < ", "&amp;", "x", " ", "{{account.traits.a}}", "<!-- c -->", "a > b", "&nbsp;"),
    ]
)


@example("<script><b></script>a > b")
@example("<b>{{account.traits.a}}<li class=z>x")
@example("<b>{{account.traits.a}}<img src=x onload=y>x</b>")
@example("<b>{{account.traits.a}}</b><li class=z>x")
@given(st.lists(PARTS, max_size=12).map("".join))
def test_what_vitally_makes_of_a_text_is_no_change(text: str) -> None:
    """Tags and attributes go, placeholders are filled, with nothing or with anything."""
    for plan in ({}, {"a": "gold"}, {"a": "two words"}):
        kept = filled(stripped(text), lambda _: plan)  # noqa: B023
        assert same_html(text, kept), (kept, plan)


@given(st.text(max_size=30))
def test_any_text_is_like_itself(text: str) -> None:
    assert same_html(text, f" {text} ")


@pytest.mark.parametrize("part", HOSTILE, ids=repr)
def test_hostile_text_takes_a_time_that_grows_with_its_length(part: str) -> None:
    """These took minutes or hours where the time grows with the square of 50 kB."""
    text = part * (50_000 // len(part))
    assert same_html(text, f" {text}")
    assert not same_html(f"x{text}", f"y{text}")


def test_placeholders_are_matched_without_trying_every_place() -> None:
    assert not same_html("{{a}} {{b}} {{c}} {{d}} z" * 4000, "x " * 50_000)
