"""Generation in a probe or a run: project and manifest are checked against the prompt before anything is sent."""

from __future__ import annotations

from edgekit.bundle.manifest import ManifestContent
from edgekit.datasets.tokenizer import read_tokenizer
from edgekit.errors import ProbeError
from edgekit.measure.device.generation import Prompt, check_decoder, check_inputs, check_room
from edgekit.runner.errors import RunnerError
from edgekit.specs.project import Project
from edgekit.specs.state import cache_size


def check_prompt(manifest: ManifestContent, prompt: Prompt) -> None:
    """Raise ProbeError or TokenizerMismatch if the model of this manifest cannot continue the prompt."""
    names = [spec.name for spec in manifest.signature.sampled]
    tokenizer = manifest.tokenizers.get(names[0]) if names else None
    check_decoder(manifest.signature, tokenizer.size if tokenizer else None, prompt)


def check_project(project: Project, prompt: Prompt) -> None:
    """Raise ProbeError if the model that a project states cannot continue the prompt, before it is built."""
    tokens = [spec for spec in project.arguments if spec.name in project.inputs]
    check_inputs(tokens, bool(project.state))
    name = tokens[0].name
    cache = cache_size(project.state)
    check_room(prompt, cache[1] if cache else None, _text_tokens(project, name, prompt))


def _text_tokens(project: Project, name: str, prompt: Prompt) -> int | None:
    """Number of tokens of the prompt's text; None where it has token ids, or where its kind is not known here.

    Raises ProbeError for a text that the tokenizer does not take, and where there is none.
    """
    if prompt.text is None:
        return None
    stated = project.inputs[name].tokenizer
    if stated is None:
        raise ProbeError(
            f"--prompt: the project states no tokenizer of '{name}'",
            hint=f"state one: [inputs.{name}.tokenizer] file = 'tokenizer.json'; or give ids: --prompt-tokens 1,42",
        )
    texts = read_tokenizer(project.root, name, stated).texts
    if texts is None:
        return None
    try:
        return len(texts.encode(prompt.text))
    except RunnerError as error:
        raise ProbeError(f"--prompt: {error}", hint="give token ids: --prompt-tokens 1,42") from error
