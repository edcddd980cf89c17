"""The pack is whole: every route says what it tries and protects, and docs/compliance.md lists it."""

from tests.worm.clauses import Clause
from tests.worm.routes import DOCUMENT, documented, routes


def test_every_route_says_what_it_tries_and_protects() -> None:
    found = routes()
    assert len(found) >= 40
    assert [route.test for route in found if not route.text.endswith(".") or not route.clauses] == []


def test_every_clause_has_a_route_and_a_place_in_the_document() -> None:
    text = DOCUMENT.read_text("utf-8")
    protected = {clause for route in routes() for clause in route.clauses}
    assert [clause for clause in Clause if clause not in protected or f"| {clause.text} |" not in text] == []


def test_the_document_lists_the_routes() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert text == documented(text), "run: python -m tests.worm.routes"
