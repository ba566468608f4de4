"""Cards for people, in the manner of Hugging Face: what prepared data are and whose, and a template for a model that is trained on them.

Markdown with a YAML head, of what `stats.json` holds. It measures nothing and knows no files. What only people know is left as a line that
begins with "To be filled".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MOST_ROWS = 50  # of a table; the rest is in stats.json and id_list.jsonl
MOST_TAGS = 20
UNKNOWN = "unknown"
BLANK = "To be filled"
STAGES = ("latents", "styles", "timing", "separation", "rules", "pack")
SIZES = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))
CODE = re.compile(r"([A-Za-z]{2,3})(?:[-_].*)?")
REASONS = {
    "decode": "cannot be read",
    "lyrics": "lyrics that cannot be read or sung",
    "encode": "cannot be encoded",
    "allow_duplicates": "the same recording twice",
    "allow_unlicensed": "without license or source",
    "allow_wordless": "without words",
    "min_found": "too few words are heard",
}


def data_card(stats: Mapping[str, Any]) -> str:
    """DATA_CARD.md of the statistics that `packing.finish` makes."""
    by = stats["by"]
    head = {
        "license": _licenses(by["license"]),
        "language": _languages(by["language"]),
        "task_categories": ["text-to-audio"],
        "tags": ["music", "singing", "lyrics"],
        "size_categories": [next((name for most, name in SIZES if stats["songs"] < most), "n>10M")],
    }
    sections = [
        _head(head),
        "# Songs with timed words, as latents",
        f"{_sentence(stats)} Each song is stored as latents of its sound, style vectors, and its words with phonemes and times; the "
        "recordings themselves are not in here. Made by `python -m jam.data.prepare`.",
        f"{BLANK}: who made this collection, why, and whom to ask.",
        _section("Licenses", _table("license", by["license"])),
        _section("Sources", _attribution(by["source"])),
        _section("Languages", _table("language", by["language"])),
        _section("Tags", _table("tag", by["tag"])),
        _section("Splits", _table("split", by["split"])),
        _section("How words were timed", _timing(stats)),
        _section("What was left out", _rejected(stats["rejected"])),
        _section("How it was made", _made(stats)),
        _section("Files", _files(stats["shards"])),
        _section("Limits", f"{BLANK}: whom and what these songs leave out, and what they must not be used for."),
    ]
    return "\n\n".join(sections) + "\n"


def model_card(stats: Mapping[str, Any]) -> str:
    """MODEL_CARD.md for a model that is trained on the data: what is known of these is told, what its makers must say is blank."""
    by = stats["by"]
    head = {
        "license": f"{BLANK}: of the weights, in keeping with the licenses of the data",
        "language": _languages(by["language"]),
        "library_name": "jam",
        "pipeline_tag": "text-to-audio",
        "tags": ["music", "singing", "lyrics", "text-to-song"],
        "datasets": [f"{BLANK}: where these data are published"],
    }
    sections = [
        _head(head),
        f"# {BLANK}: the name of the model",
        "It sings lyrics whose words have times, in the style of a reference clip or a description.",
        _section("Model", f"{BLANK}: what it was trained from (`jam.train`, with which settings), its parameters, its canvas in seconds."),
        _section(
            "Use", f"{BLANK}: a request and the command that sings it (`python -m jam.infer`); what it is for and what it is not for."
        ),
        _section("Training data", f"{_sentence(stats)} DATA_CARD.md tells how they were made.\n\n{_table('license', by['license'])}"),
        _section("Attribution", _attribution(by["source"])),
        _section("Languages and tags", f"{_table('language', by['language'])}\n\n{_table('tag', by['tag'], MOST_TAGS)}"),
        _section("Latents", _instruments(stats)),
        _section("Training", f"{BLANK}: stages, steps, songs a step, hours and kind of the machines."),
        _section("Evaluation", f"{BLANK}: the table of `python -m jam.eval.evaluate`, on songs that no training has seen."),
        _section("Limits", f"{BLANK}: languages, voices and styles it cannot sing; what it repeats of its data (see the evaluation)."),
        _section("Rights", f"{BLANK}: how whoever made these recordings can have them taken out."),
    ]
    return "\n\n".join(sections) + "\n"


def _head(facts: Mapping[str, Any]) -> str:
    """The YAML head; each value is JSON, which is YAML too."""
    return "\n".join(["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()), "---"])


def _licenses(table: Mapping[str, Any]) -> list[str]:
    """As the hub spells them: `cc-by-4.0`; `other` for songs of which no license is known."""
    return sorted({"other" if name == UNKNOWN else "-".join(name.lower().split()) for name in _named(table)}) or ["other"]


def _languages(table: Mapping[str, Any]) -> list[str]:
    """As the hub spells them: `en` for en, en_us and en-GB; what is no code is in the tables alone."""
    return sorted({found[1].lower() for name in _named(table) if (found := CODE.fullmatch(name))})


def _named(table: Mapping[str, Any]) -> list[str]:
    """The rows of a table, but for that of all others."""
    return [name for name in table if not name.endswith(" others)")]


def _sentence(stats: Mapping[str, Any]) -> str:
    return (
        f"{stats['songs']:,} songs of {stats['hours']:,.2f} hours with {stats['words']:,} words, {stats['words_per_second']:.2f} a second."
    )


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _table(kind: str, table: Mapping[str, Any], most: int = MOST_ROWS) -> str:
    """Songs, hours and words of each row, the longest first."""
    if not table:
        return f"No {kind} is named."
    rows = [(name, f"{row['songs']:,}", f"{row['hours']:,.2f}", f"{row['words']:,}") for name, row in list(table.items())[:most]]
    told = _markdown((kind, "songs", "hours", "words"), rows)
    return told if len(table) <= most else f"{told}\n\nAnd {len(table) - most} more: see `stats.json`."


def _attribution(table: Mapping[str, Any]) -> str:
    named = "`id_list.jsonl` names the source and the license of each song; they are in the shards too."
    return f"{_table('source', table)}\n\n{named}"


def _timing(stats: Mapping[str, Any]) -> str:
    words = stats["words"] + stats["words_left_out"]
    share = 100 * stats["words_left_out"] / words if words else 0.0
    told = (
        f"Of {words:,} words of the lyrics {stats['words_left_out']:,} ({share:.1f} %) were not heard, or have no time; they are left out."
    )
    return f"{_table('times', stats['by']['timing'])}\n\n{told}"


def _rejected(rejected: Mapping[str, Any]) -> str:
    """How many recordings are not in the shards, by rule."""
    told = f"{rejected['songs']:,} recordings were rejected, and {rejected['unread']:,} entries of the input could not be read."
    if not rejected["by_rule"]:
        return told
    rows = [(rule, REASONS.get(rule, f"`rules.{rule}`"), f"{songs:,}") for rule, songs in rejected["by_rule"].items()]
    return f"{told} A recording may break several rules.\n\n{_markdown(('rule', 'what', 'songs'), rows)}"


def _made(stats: Mapping[str, Any]) -> str:
    """The settings of each stage, and the weights that it used."""
    settings = stats.get("settings", {})
    lines = [f"- {stage}: {_known(settings[stage])}" for stage in STAGES if isinstance(settings.get(stage), Mapping)]
    return "\n".join([*lines, _instruments(stats), "", "`stats.json` holds all settings."])


def _known(values: Mapping[str, Any]) -> str:
    """The settings that are not null; where files lay on the machine that made it is nobody's business."""
    told = {key: value for key, value in values.items() if value is not None and not key.endswith("path")}
    return ", ".join(f"{key} {_cell(value)}" for key, value in told.items()) or "as by default"


def _instruments(stats: Mapping[str, Any]) -> str:
    """The SHA-256 of what made each part, and how latents are spread."""
    lines = [f"- {name} by {identity} (SHA-256 of settings and weights)" for name, identity in stats.get("instruments", {}).items()]
    found = stats["latents"]
    if found["frames"]:
        spread = _mean(found["spread"])
        lines.append(f"- {found['frames']:,} frames of {len(found['mean'])} numbers, whose standard deviation over time is {spread:.3f}")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _files(shards: Sequence[Mapping[str, Any]]) -> str:
    """The shards with their hashes."""
    rows = [(tar["name"], f"{tar['songs']:,}", f"{tar['bytes'] / 1e6:,.1f}", tar["sha256"]) for tar in shards[:MOST_ROWS]]
    told = _markdown(("shard", "songs", "MB", "SHA-256"), rows)
    more = f"\n\nAnd {len(shards) - MOST_ROWS} more." if len(shards) > MOST_ROWS else ""
    return f"{told}{more}\n\n`sha256sum -c SHA256SUMS` checks all files."


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what the cells hold stays in its cell."""
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    """A value on one line of a table."""
    return " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
