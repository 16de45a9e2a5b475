"""The problems of a run on its page: a table that can be read as it is, and with `page.js` sorted and searched.

Roles are written out, because on a narrow screen the style sheet makes blocks of rows and cells, and some browsers
then forget that they are a table.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipedrive_cli.report import wording
from pipedrive_cli.report.charts import swatch
from pipedrive_cli.report.markup import code, folded, items, prose, section
from pipedrive_cli.report.summary import Example, ProblemGroup

_HEADS = (("Outcome", ' aria-sort="ascending"'), ("Events", ' data-first="descending"'), ("Problem", ""))


def problem_table(problems: Sequence[ProblemGroup]) -> str:
    """All problems, worst first; nothing where there are none."""
    heads = "".join(f'<th scope="col" role="columnheader" data-sorts{more}>{name}</th>' for name, more in _HEADS)
    rows = "".join(_row(place, problem) for place, problem in enumerate(problems))
    return section(
        "Problems, worst first",
        '<p class="search" hidden><label for="search">Search the problems</label>'
        '<input id="search" type="search" autocomplete="off" spellcheck="false" aria-controls="problems"> '
        '<output id="found" for="search"></output></p>\n'
        '<table id="problems" role="table" aria-label="Problems"><thead role="rowgroup"><tr role="row">'
        f'{heads}</tr></thead>\n<tbody role="rowgroup">{rows}</tbody></table>'
        if problems
        else "",
    )


def _row(place: int, problem: ProblemGroup) -> str:
    outcome = wording.share(problem)
    sign = swatch(outcome) if problem.outcome else ""
    number = f"{problem.count:,}" if problem.count else ""
    hint = f'<p class="todo"><span>What to do:</span> {prose(problem.hint)}</p>' if problem.hint else ""
    return (
        f'\n<tr role="row"><td role="cell" data-key="{place}">{sign}{outcome}</td>'
        f'<td role="cell" class="number" data-key="{problem.count}">{number}</td>'
        f'<td role="cell"><p class="said">{prose(problem.message)}</p> '
        f'<p class="faint">{code(problem.code)}</p>{hint}{_examples(problem)}</td></tr>'
    )


def _examples(problem: ProblemGroup) -> str:
    """The first one at once, the others for those who open them."""
    examples = [_example(example, problem) for example in problem.examples]
    left = f"{len(examples) - 1} more" + (f" of {problem.count:,}" if problem.count > len(examples) else "")
    return items(examples[:1]) + folded(left, items(examples[1:]))


def _example(example: Example, problem: ProblemGroup) -> str:
    """Where it stands, whose it is, and what was said of it: Pipedrive's own words, where it was Pipedrive."""
    named = (
        ("message id", example.message_id),
        ("user", example.user),
        ("field", example.field),
        ("value", example.value),
    )
    facts = "".join(f"<div><dt>{name}</dt> <dd>{code(value)}</dd></div> " for name, value in named if value is not None)
    said = ""
    if example.message is not None and example.message != problem.message:
        said = f'<p class="quote">{prose(example.message)}</p>'
    return f'<p class="place">{code(wording.place(example))}</p>{said}{f"<dl>{facts}</dl>" if facts else ""}'
