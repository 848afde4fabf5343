"""Whatever the wire schema allows, as a strategy for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from doorsill.wire import messages as wire
from doorsill.wire import rules
from doorsill.wire.messages import Message


def values(rule: rules.Rule) -> st.SearchStrategy[Any]:
    """Any value that ``rule`` allows."""
    if isinstance(rule, rules.Whole):
        return st.integers(rule.least, rule.most)
    if isinstance(rule, rules.Flag):
        return st.booleans()
    if isinstance(rule, rules.Word):
        return st.sampled_from(rule.words)
    if isinstance(rule, rules.Words):
        words = rule.words
        return st.sets(st.sampled_from(words)).map(
            lambda chosen: tuple(word for word in words if word in chosen)
        )
    if isinstance(rule, rules.Text):
        return st.from_regex(
            rule.pattern, fullmatch=True, alphabet=st.characters(max_codepoint=127)
        )
    if isinstance(rule, rules.OrNull):
        return st.none() | values(rule.rule)
    if isinstance(rule, rules.Rows):
        names = [name for name, _ in rule.columns]
        columns = st.tuples(*[values(each) for _, each in rule.columns])
        rows = columns.map(lambda numbers: dict(zip(names, numbers, strict=True)))
        return st.lists(rows, max_size=rule.most).map(tuple)
    assert isinstance(rule, rules.Pairs)
    row = st.tuples(*[values(rule.rule) for _ in rule.names]).map(
        lambda numbers: dict(zip(rule.names, numbers, strict=True))
    )
    return st.lists(row, max_size=rule.most).map(tuple)


messages: st.SearchStrategy[Message] = st.one_of(
    *[
        st.builds(
            kind,
            **{attribute: values(rule) for attribute, _, rule in rules.fields_of(kind)},
        )
        for kinds in wire.KINDS.values()
        for kind in kinds
    ]
)
