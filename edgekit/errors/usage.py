"""Errors of what was typed or written: exit code 2."""

from __future__ import annotations

from edgekit.errors.base import EdgekitError


class UsageError(EdgekitError):
    """A command, an option or a file of the user is wrong. Nothing was started."""

    code = "EK100"
    exit_code = 2


class SpecError(UsageError):
    """A target, profile, project or device file is missing, is no TOML, or says something edgekit does not know.

    The message names the file and the key. `edgekit targets show ID` and `edgekit profiles show ID` print good ones.
    """

    code = "EK101"


class UnknownName(UsageError):
    """Nothing has that name: no target, profile, backend, key, example, gate or code. The hint says the nearest."""

    code = "EK102"


class Misfit(UsageError):
    """The profile asks for what the target cannot run, or the inputs do not have.

    Such as another family, a precision that its runtime lacks, or perturbations of pictures where there are none.
    """

    code = "EK103"


class OptionError(UsageError):
    """An option on the command line has a value that it cannot take."""

    code = "EK104"


class DataError(UsageError):
    """A data set is empty, unreadable, not of the stated shape or dtype, not finite, or wrongly labelled."""

    code = "EK105"


class ClassMismatch(DataError):
    """A class folder has the name of no class, or of several. Folders are matched to `[model] classes` by name."""

    code = "EK110"


class EmptyClass(DataError):
    """A class has no folder, or no file of it can be read: its accuracy would go unmeasured."""

    code = "EK111"


class PictureError(DataError):
    """A picture is damaged, cut short, too large to be decoded, or of a kind that edgekit does not read."""

    code = "EK112"


class RecordingError(DataError):
    """A recording is damaged, cut short, too long, or no WAV of whole PCM."""

    code = "EK115"


class OutOfRange(DataError):
    """A sample is shorter or longer than `[inputs]` states, or holds a token that is outside the vocabulary.

    Or two of its inputs have different lengths under one name.
    """

    code = "EK116"


class SequenceError(DataError):
    """A sample of a model with state is no sequence of steps: no step, arrays of different lengths, or a wrong label.

    Each array of a sample has a time axis first, [T, …]; its label is one for the sequence, or [T, …], one a step.
    """

    code = "EK117"


class SampleUnfit(DataError):
    """A sample cannot be preprocessed as `[inputs]` states: too large, smaller than its crop, or of other channels.

    docs/preprocessing.md says what each step takes.
    """

    code = "EK118"


class TokenizerMismatch(DataError):
    """A tokenizer is another one than `[inputs]` states: another digest, or other token ids for the golden texts.

    A network knows tokens by number alone: with another tokenizer it reads other words, and nothing fails.
    """

    code = "EK119"


class FunctionRefused(SpecError):
    """A function for `preprocess` has a construct that devices do not know: nothing that a bundle brings is executed.

    Devices evaluate a part of Python: one function of one array, arithmetic, indices, conditions on numbers, loops over
    a range, and array functions of numpy. docs/preprocessing.md has the list. What lies outside goes into the network's
    forward, or is done before: a loader gives preprocessed samples, and the application does the same.
    """

    code = "EK122"


class Ambiguous(UsageError):
    """Two installed plug-ins register the same name. Uninstall one of the packages the message names."""

    code = "EK106"


class ModelFileError(UsageError):
    """A bare model file is empty, damaged, not of the format that its name says, or none that can be served."""

    code = "EK107"


class UnprotectedFile(UsageError):
    """Others can read a secret key, or replace the files that say whom to trust. The hint closes the file or folder."""

    code = "EK108"


class HiddenPackage(UsageError):
    """A file of the project has the name of a package, `torch.py` say, and is imported in its place. Rename it."""

    code = "EK113"


class UnsafePickle(UsageError):
    """A file of weights is a pickle of more than tensors: to read it would run code. It is never read.

    Export the state dict where you trust the file, and have a factory make the network; the hint has the command.
    """

    code = "EK114"


class ScaffoldError(UsageError):
    """`edgekit init` finds no model or no samples, finds several of them, or what it finds does not go together.

    The hint says which file to bring, or which option names it: --model, --data, --network, --size.
    """

    code = "EK123"


class ProjectExists(UsageError):
    """`edgekit init` writes no project over another, beside its files, or inside of it."""

    code = "EK124"
