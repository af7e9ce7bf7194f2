"""Generation in a probe or a run: project and manifest are checked against the prompt before anything is sent."""

from __future__ import annotations

from edgekit.bundle.manifest import ManifestContent
from edgekit.errors import ProbeError
from edgekit.measure.device.generation import Prompt, check_decoder, check_inputs, check_room
from edgekit.specs.project import Project


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
    appended = [spec.shape[spec.append] for spec in project.state.values() if spec.append is not None]
    check_room(prompt, min(appended, default=None))
    if prompt.text and not project.inputs[name].tokenizer:
        raise ProbeError(
            f"--prompt: the project states no tokenizer of '{name}'",
            hint=f"state one: [inputs.{name}.tokenizer] file = 'tokenizer.json'; or give ids: --prompt-tokens 1,42",
        )
