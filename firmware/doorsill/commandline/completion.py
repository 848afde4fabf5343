"""Completion for bash and for zsh, made from the parser.

Both find the command in the words so far. After an option they offer its values or
files. Otherwise they offer options after a ``-``, and commands or files without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from shlex import quote

from doorsill.commandline.commands import Command, Option

# What to offer: after an option, at the beginning of one, and otherwise. The files for
# both shells end with it.
CASES = """\
    case "$at|$previous" in
{values}
    esac
    case "$at|$current" in
{options}
    esac
    case "$at" in
{words}
    esac
}}
"""
BASH = (
    """\
# bash completion of {program}, made from its parser
{function}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
    local at="" word
    if [[ $current == "=" ]]; then current=""; fi
    if [[ $previous == "=" ]]; then previous=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD - 1}}"; do
        case "$at $word" in
            {steps}) at="${{at:+$at }}$word" ;;
        esac
    done
    COMPREPLY=()
"""
    + CASES
    + """\
{function}_files() {{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}}
complete -F {function} {program}
"""
)
ZSH = (
    """\
#compdef {program}
# zsh completion of {program}, made from its parser
{function}() {{
    local at="" word current=$words[CURRENT] previous=$words[CURRENT-1]
    local -a found
    for word in "${{(@)words[2,CURRENT-1]}}"; do
        case "$at $word" in
            ({steps}) at="${{at:+$at }}$word" ;;
        esac
    done
"""
    + CASES
    + """\
{function} "$@"
"""
)


def bash(program: str, commands: Sequence[Command]) -> str:
    """The file for ``/usr/share/bash-completion/completions``."""
    return _fill(BASH, program, commands, _bash_words, '_files "$current"', "")


def zsh(program: str, commands: Sequence[Command]) -> str:
    """The file for a folder of zsh's ``fpath``, such as ``vendor-completions``."""
    return _fill(ZSH, program, commands, _zsh_words, "_files", "(")


def _fill(
    template: str,
    program: str,
    commands: Sequence[Command],
    offered: Callable[[Iterable[tuple[str, str]]], str],
    files: str,
    opens: str,
) -> str:
    function = "_" + program.replace("-", "_")
    files = files if files == "_files" else function + files

    def rows(found: Iterable[tuple[str, str]]) -> str:
        return "\n".join(
            f"        {opens}{when}) {do}; return ;;" for when, do in found
        )

    return template.format(
        program=program,
        function=function,
        steps="|".join(_steps(commands)),
        values=rows(_values(commands, offered, files)),
        options=rows(
            (
                f"{quote(_name(each) + '|-')}*",
                offered((name, option.about) for option, name in _named_options(each)),
            )
            for each in commands
        ),
        words=rows(
            (quote(_name(each)), _what_follows(each, offered, files))
            for each in commands
        ),
    )


def _name(command: Command) -> str:
    return " ".join(command.path)


def _steps(commands: Sequence[Command]) -> Iterator[str]:
    for each in commands:
        for name, _ in each.below:
            yield quote(f"{_name(each)} {name}")


def _named_options(command: Command) -> Iterator[tuple[Option, str]]:
    for option in command.options:
        for name in option.names:
            if name.startswith("--"):
                yield option, name


def _values(
    commands: Sequence[Command],
    offered: Callable[[Iterable[tuple[str, str]]], str],
    files: str,
) -> Iterator[tuple[str, str]]:
    """For each option with a value, what is offered after it."""
    for command in commands:
        for option, name in _named_options(command):
            if not option.takes_value:
                continue
            do = files if option.takes_file else "true"
            if option.values:
                do = offered((each, "") for each in option.values)
            yield quote(f"{_name(command)}|{name}"), do


def _what_follows(
    command: Command, offered: Callable[[Iterable[tuple[str, str]]], str], files: str
) -> str:
    if command.below:
        return offered(command.below)
    for each in command.arguments:
        if each.values:
            return offered((value, "") for value in each.values)
    return files if any(each.takes_file for each in command.arguments) else "true"


def _bash_words(words: Iterable[tuple[str, str]]) -> str:
    listed = quote(" ".join(word for word, _ in words))
    return f'mapfile -t COMPREPLY < <(compgen -W {listed} -- "$current")'


def _zsh_words(words: Iterable[tuple[str, str]]) -> str:
    listed = " ".join(quote(_describe(word, about)) for word, about in words)
    return f"found=({listed}); _describe -o word found"


def _describe(word: str, about: str) -> str:
    """``word:about``, as _describe takes it."""
    return f"{word}:{about.replace(':', chr(92) + ':')}" if about else word
