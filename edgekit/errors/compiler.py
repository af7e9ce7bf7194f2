"""Errors of the compiler: load, capture, passes, lowering."""

from __future__ import annotations

from edgekit.errors.base import EdgekitError


class CompileError(EdgekitError):
    """The model could not be taken through the compiler."""

    code = "EK200"


class LoadError(CompileError):
    """A file of the project could not be imported, or its factory raised or returned no torch.nn.Module."""

    code = "EK201"


class ForwardError(CompileError):
    """The model was made, but its forward failed on the shape that `[inputs]` states."""

    code = "EK202"


class CaptureError(CompileError):
    """torch.export could not trace the model. The message names the module and the line."""

    code = "EK203"


class FixedLength(CaptureError):
    """torch.export unrolls the network for one length, so that no length of its inputs can stay free.

    Loops over an axis do so, and recurrent modules, which are such loops inside.
    """

    code = "EK219"


class PassError(CompileError):
    """A pass could not take the program, or its result broke what the pass promises."""

    code = "EK204"


class LoweringError(CompileError):
    """The converter failed, or its process died. The last lines it wrote are in the message."""

    code = "EK205"


class UnsupportedOperator(LoweringError):
    """The converter has no kernel for an operator of the model. Try another backend, or rewrite that part."""

    code = "EK206"


class LoweringTimeout(LoweringError):
    """The converter did not finish within its time limit and was stopped."""

    code = "EK207"


class Disagreement(LoweringError):
    """The file loads and runs, but its outputs are not those of the program it was lowered from."""

    code = "EK208"


class AcceleratorDisagreement(LoweringError):
    """The file answers on the CPU, and on the target's NPU, emulated at build, it answers otherwise or does not run."""

    code = "EK428"


class HalfOverflow(LoweringError):
    """A layer gives numbers above 65,504, the largest of float16, and the target's accelerator computes in float16.

    The layers are named, each with its largest number on a sample.
    """

    code = "EK429"


class Nondeterministic(CompileError):
    """The network gives one input other answers each time: it draws random numbers, or keeps state between calls."""

    code = "EK209"


class UnstableFactory(CompileError):
    """The factory makes a network with other weights each time it is called: some of them were never loaded."""

    code = "EK210"


class LengthDisagreement(Disagreement):
    """At some of the free lengths the file's outputs are not those of the program: padding reaches them.

    A file with buckets pads each sample to the next of its lengths. A network that has no mask, and looks beyond
    the end of a sample or counts it in a mean, then answers otherwise.
    """

    code = "EK218"


class StateMismatch(CompileError):
    """`[state]` does not fit the network: it gives no such output, or one of another shape or dtype than the input."""

    code = "EK220"


class StateUnsupported(CompileError):
    """A step of the line cannot take a model with `[state]`: the message names it, the hint says what can be done."""

    code = "EK221"


class FloatDisagreement(Disagreement):
    """A file in float gives other answers than the network itself. Nothing was quantized: it is another function."""

    code = "EK211"


class DataDependentShape(CaptureError):
    """The size of an output depends on the values of the input: a bundle states one size for each output."""

    code = "EK212"


class SpecializedCapture(CaptureError):
    """The program answers as the network does for some inputs only: a choice of the traced input is fixed in it."""

    code = "EK213"


class WeightsMismatch(CompileError):
    """The state dict of `[model] weights` is not that of the factory's network: names or shapes differ."""

    code = "EK215"


class UnsupportedModelFile(CompileError):
    """A model file cannot be made a network: another version of torch wrote it, or it has an operator unknown here."""

    code = "EK216"


class ConversionMismatch(CompileError):
    """The network that was made of a model file gives other answers than the file itself on examples."""

    code = "EK217"
