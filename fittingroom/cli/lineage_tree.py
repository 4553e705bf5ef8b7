"""A trace as a tree for a terminal: counts where there are many pictures, or every one of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fittingroom.catalog import Style
from fittingroom.lineage.pictures import PEOPLE, Crawled, Picture
from fittingroom.lineage.trace import ModelTrace, Trace, pairs
from fittingroom.lineage.uses import stamp
from fittingroom.names import printable
from fittingroom.redaction import redacted

if TYPE_CHECKING:
    from rich.tree import Tree

    from fittingroom.registry.registry import ModelVersion
    from fittingroom.workspace import Workspace

SHORT = 12
"""Characters of a digest that are shown where it is not what was asked for."""
SETTINGS = ("epochs", "steps_per_epoch", "image_size", "batch_size", "learning_rate", "seed")
"""Settings of a training that are shown; --json has all."""


def tree_of(trace: Trace, workspace: Workspace, everything: bool) -> Tree:
    """The whole walk as a tree of Rich's."""
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(Text(printable(_head(trace))))
    for words in trace.lost:
        root.add(Text(printable(words)))
    for model in trace.models:
        branch = root.add(Text(printable(_model_words(model))))
        for child in _model_branches(model, workspace, everything):
            _grow(branch, child)
    return root


class _Branch:
    """A line and what is below it."""

    def __init__(self, words: str, below: Iterable[_Branch] = ()) -> None:
        self.words, self.below = words, list(below)


def _grow(tree: Tree, branch: _Branch) -> None:
    from rich.text import Text

    grown = tree.add(Text(printable(branch.words)))
    for child in branch.below:
        _grow(grown, child)


def _head(trace: Trace) -> str:
    if trace.mark is None:
        return trace.asked
    return f"{Path(trace.asked).name}: made by {trace.mark.tool or 'an unnamed tool'} in style {trace.mark.style}"


def _model_words(model: ModelTrace) -> str:
    weights = f"weights sha256 {model.weights_sha256[:SHORT]}"
    if model.version is None:
        return f"{model.title}: starter model, shipped with the package{_serving(model)}, {weights}"
    return f"{model.title}, version {model.version.version}{_serving(model)}, {weights}"


def _serving(model: ModelTrace) -> str:
    return " (serves)" if model.serves else " (does not serve)"


def _model_branches(model: ModelTrace, workspace: Workspace, everything: bool) -> list[_Branch]:
    if model.version is None:
        return [_Branch(f"model card: {model.card}")] if model.card else []
    branches = [_training(model, model.version)]
    if model.version.withdrawn:
        branches.append(_Branch(f"a picture that it learnt from was withdrawn at {model.version.withdrawn}"))
    if model.pictures is None:
        branches.append(_Branch(f"pictures: not known: {model.not_noted}"))
    for domain, verb in (("target", "learnt the style"), ("source", "learnt what to change"), ("photos", "learnt")):
        if learnt := model.of("learnt_from", domain):
            branches.append(_pictures(f"{verb} from {_count(learnt)}", learnt, workspace, everything))
        if held := model.of("held_out", domain):
            branches.append(_pictures(f"judged on {_count(held)} held out", held, workspace, everything))
    if model.entry is not None:
        branches.append(_catalog(model.entry))
    elif model.version.style:
        branches.append(_Branch("catalog: it has no entry there now"))
    return branches


def _training(model: ModelTrace, version: ModelVersion) -> _Branch:
    run = version.tags.get("training_run", "")
    runs = f"MLflow run {run}, registered by {version.run_id}" if run else f"MLflow run {version.run_id}"
    recipe = ", ".join(f"{name} {version.recipe[name]}" for name in SETTINGS if version.recipe.get(name) is not None)
    below = [_Branch(f"code: {version.tags.get('code') or 'its version was not noted'}")]
    below += [_Branch(f"settings: {recipe}")] if recipe else []
    below += [_Branch(f"began with the weights of {model.started_from}")] if model.started_from else []
    return _Branch(f"trained in {runs}, registered {stamp(version.created_at)}", below)


def _count(pictures: Sequence[Picture]) -> str:
    originals = pairs(pictures)
    if all(picture.photo == picture.name for picture in pictures):
        return f"{len(pictures):,} annotated photos"
    twins = len(pictures) - len(originals)
    return f"{_many(len(originals), 'picture')}" + (f" and {_many(twins, 'mirrored twin')}" if twins else "")


def _pictures(words: str, pictures: Sequence[Picture], workspace: Workspace, everything: bool) -> _Branch:
    by_folder: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        by_folder[picture.folder].append(picture)
    below = [_folder(folder, several, workspace, everything) for folder, several in sorted(by_folder.items())]
    return _Branch(words, [branch for branch in below if branch is not None])


def _folder(folder: str, pictures: list[Picture], workspace: Workspace, everything: bool) -> _Branch | None:
    """The pictures of one prepared folder, down to where they came from."""
    originals = [several[0] for several in pairs(pictures).values()]
    if all(picture.photo == picture.name for picture in pictures):  # a segmenter's
        return _Branch("their digests", [_Branch(f"sha256 {p.name}") for p in pictures]) if everything else None
    if everything:
        return _Branch(f"prepared/{folder}", [_one(several, workspace) for several in pairs(pictures).values()])
    unknown = sum(not picture.known for picture in originals)
    if folder == PEOPLE:
        photos = len({picture.photo for picture in originals if picture.photo})
        below = [_Branch(f"cut from {_many(photos, 'annotated photo')}")] if photos else []
    else:
        crawled = {picture.cutout.source_sha256 for picture in originals if picture.cutout}
        addresses = [one for picture in originals for one in picture.addresses]
        below = [_Branch(f"cut out of {_many(len(crawled), 'crawled picture')}", _places(addresses, workspace))]
        below = below if crawled else []
    if unknown:
        below.append(_Branch(f"of {unknown:,} this workspace does not know what they were made of"))
    return _Branch(f"prepared/{folder or '?'}: {_count(pictures)}", below)


def _one(twins: Sequence[Picture], workspace: Workspace) -> _Branch:
    picture = twins[0]
    names = picture.name + (" and its twin" if len(twins) > 1 else "")
    if picture.photo:
        return _Branch(names, [_Branch(f"cut from annotated photo sha256 {picture.photo}")])
    if picture.cutout is None:
        return _Branch(f"{names}: this workspace does not know what it was made of")
    cut, below = picture.cutout, [_Branch(_address(one, workspace)) for one in picture.addresses]
    return _Branch(f"{names}, cut-out {cut.sha256[:SHORT]} of picture {cut.source_sha256[:SHORT]}", below)


def _address(one: Crawled, workspace: Workspace) -> str:
    told = [one.licence or "no licence stated", f"fetched {one.fetched_at or '-'}"]
    told += [one.status] if one.status != "kept" else []
    return f"{_shown(one.address, workspace)} ({', '.join(told)})"


def _places(addresses: Iterable[Crawled], workspace: Workspace) -> list[_Branch]:
    """Addresses by host or folder, licence and fate."""
    groups: dict[tuple[str, str, str], list[Crawled]] = defaultdict(list)
    for one in addresses:
        place = urlsplit(one.address).netloc or _shown(str(Path(one.address).parent), workspace)
        groups[place, one.licence, one.status].append(one)
    found = []
    for (place, licence, status), several in sorted(groups.items()):
        days = sorted({one.fetched_at[:10] for one in several if one.fetched_at})
        when = f"fetched {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else "fetched -"
        told = [licence or "no licence stated", when, *([status] if status != "kept" else [])]
        found.append(_Branch(f"{_many(len(several), 'address', 'addresses')} at {place} ({', '.join(told)})"))
    return found


def _catalog(style: Style) -> _Branch:
    facts = ", ".join(fact for fact in (style.category, style.colour or "any colour", style.pattern) if fact)
    kinds = Counter(source.kind for source in style.sources)
    sources = ", ".join(_many(count, f"{kind} source") for kind, count in kinds.items())
    below = []
    for source in style.sources:
        where = next((getattr(source, name) for name in ("url", "path", "query") if hasattr(source, name)), "")
        below.append(_Branch(redacted(f"{source.kind} {where} ({source.licence or 'no licence stated'})")))
    return _Branch(f"catalog: {style.name}: {facts}; {sources}", below)


def _shown(address: str, workspace: Workspace) -> str:
    return redacted(workspace.portable(address) if Path(address).is_absolute() else address)


def _many(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
