"""
Errors that edgekit raises on purpose, a module per wing:

* EdgekitError
  x UsageError               what was typed or written is wrong; exit 2
    - SpecError              EK101  a target, profile, project or device file is wrong
    - UnknownName            EK102  no such target, profile, backend, key, gate …; says the nearest
    - Misfit                 EK103  this profile cannot serve this target
    - OptionError            EK104  an option has no such value
    - DataError              EK105  a data set is empty, of the wrong shape or dtype, or not finite
    - Ambiguous              EK106  two plug-ins claim one name
    - ModelFileError         EK107  a model file is empty, damaged, or not what its name says
    - UnprotectedFile        EK108  others can read or replace what must be its owner's alone
    - ClassMismatch          EK110  class folders and classes do not go together by name
    - EmptyClass             EK111  a class has no sample
    - PictureError           EK112  a picture is damaged, cut short, or none
    - RecordingError         EK115  a recording is damaged, cut short, or none
    - HiddenPackage          EK113  a file of the project has the name of a package
    - UnsafePickle           EK114  a file of weights holds code
    - OutOfRange             EK116  a sample's length or token is outside its range
    - SequenceError          EK117  a sample of a model with state is no sequence of steps
    - SampleUnfit            EK118  a sample cannot be preprocessed as [inputs] states
    - TokenizerMismatch      EK119  a tokenizer is another one than [inputs] states
    - FunctionRefused        EK122  a function for preprocess is none that devices know
    - ScaffoldError          EK123  init finds no model or samples, or they do not go together
    - ProjectExists          EK124  init would write into a project, or beside one
  x CompileError             the model could not be taken through the compiler; exit 3
    - LoadError              EK201  the project's code failed, or its factory returned no module
    - ForwardError           EK202  the model's forward failed on the stated shape
    - CaptureError           EK203  torch.export could not trace the model
    - PassError              EK204  a pass broke its contract
    - LoweringError          EK205  the converter failed
    - UnsupportedOperator    EK206  the converter has no such operator
    - LoweringTimeout        EK207  the converter did not finish in time
    - Disagreement           EK208  the file loads, but does not compute what the program computes
    - AcceleratorDisagreement EK428  a file answers otherwise on the target's NPU, emulated, than on the CPU
    - HalfOverflow           EK429  a layer gives numbers that float16 does not hold, in which the target computes
    - Nondeterministic       EK209  the network answers one input differently each time
    - UnstableFactory        EK210  the factory makes another network each time
    - FixedLength            EK219  the network is traced for one length only
    - LengthDisagreement     EK218  a file answers otherwise at some of its free lengths
    - FloatDisagreement      EK211  a file in float does not compute what the network computes
    - DataDependentShape     EK212  the size of an output depends on values
    - SpecializedCapture     EK213  the program follows the traced input only
    - WeightsMismatch        EK215  the state dict is not that of the network
    - UnsupportedModelFile   EK216  a model file cannot be made a network
    - ConversionMismatch     EK217  the network made of a model file gives other answers
    - StateMismatch          EK220  [state] does not fit the network's outputs
    - StateUnsupported       EK221  this cannot be done for a model with state
  x BundleError              EK301  not a bundle, or not a whole one; exit 3
    - SignatureError         EK302  the signature or a digest does not match
    - UntrustedKey           EK303  signed by a key nobody here trusts
    - Incompatible           EK304  right bundle, wrong device
    - VersionTooOld          EK305  an older version than the device may run again
    - Expired                EK306  it was to be installed until a time that is over
    - KeyLocked              EK307  the signing key needs its passphrase or PIN, and that was missing or wrong
    - KeyUnreachable         EK308  the agent or token that holds the signing key does not sign
    - ExportError            EK309  a model cannot be exported
    - ReportMismatch         EK311  a report or a history is of another bundle
    - SourceSignatureError   EK312  weights that come signed are not what was signed
  x DeviceError              the device did not do what was asked; exit 3
    - Unreachable            EK401  no answer
    - CommandFailed          EK402  a command on the device failed
    - SelfTestFailed         EK403  the installed model does not reproduce its golden outputs
    - ProbeError             EK404  the measurement could not be taken
    - DeviceBusy             EK405  another edgekit is at work on it
    - AuthenticationRefused  EK406  it does not let this user in
    - HostKeyChanged         EK407  it is not the device it was, or nobody said that it is
    - DeviceAmbiguous        EK408  several devices answer to that
    - TooSmall               EK409  not enough memory or disk for the model
    - RuntimeMissing         EK410  nothing there runs such a model
    - RuntimeMismatch        EK411  its runtime is of another version than the bundle's
    - ConnectionLost         EK412  it was there, and went away
    - SlotDamaged            EK706  the files in one of its slots are not those that were put there
    - TrustLost              EK707  it has lost whom it trusts
    - StateGarbled           EK708  it has lost which slot holds what
    - AnswerMismatch         EK413  it answered what its model cannot answer
    - AcceleratorMissing     EK414  it has no such accelerator
    - AcceleratorLibraryMissing EK415  its runtime lacks the library for it
    - DriverMissing          EK416  it has no driver for it
    - AdapterMissing         EK417  its driver finds no device
    - AcceleratorMemory      EK418  the accelerator's memory is too small
    - OperatorsRefused       EK419  the accelerator does not run operators of the model
    - AcceleratorHung        EK420  the accelerator gave no answer in time
    - AcceleratorNotFinite   EK421  the accelerator answers NaN or infinity
    - AcceleratorPackageMissing EK425  a package that drives it is not installed
    - ContextMismatch        EK426  a context binary is for another NPU or SDK
    - NumberFormatRefused    EK427  the accelerator computes in other number formats
    - AcceleratorCrashed     EK430  the accelerator's library or driver crashed
  x EmulationError           a device could not be emulated; exit 3
    - ToolsMissing           EK601  QEMU, or another tool, is missing or too old
    - PortTaken              EK602  another program listens where the device should
    - ImageDamaged           EK603  the image, or the state that a device wakes up from, is not whole
    - BootFailed             EK604  the device did not come up
  x PackError                EK605  a runtime pack could not be made
  x ServingError             a server did not answer as it must, or could not be started here; exit 3
    - ServerUnreachable      EK701  no answer, or none in time
    - ServerRefused          EK702  it does not take the token
    - ModelMismatch          EK703  it serves no such model, or one that takes or gives something else
    - ServerFailed           EK704  it answered with an error
    - ServerNotStarted       EK705  it could not be installed or started on this machine
  x MissingExtra             EK501  an optional dependency is not installed
  x OutputBusy               EK502  another build is writing the same folder
  x StorageError             EK503  the disk is full, or a file cannot be written
  x Interrupted              EK504  stopped by Ctrl-C or a signal
  x Crash                    EK505  the process that runs a project's code ended without a result
  x MemoryLimit              EK506  a command held more memory than it may
  x CacheInUse               EK507  the cache cannot be cleaned while a build uses it

A missed gate is a result and none of these. `edgekit explain CODE` prints the docstring of the class.
"""

from __future__ import annotations

from edgekit.errors.base import EdgekitError, all_errors, nearest, suggest
from edgekit.errors.bundle import (
    BundleError,
    Expired,
    ExportError,
    Incompatible,
    KeyLocked,
    KeyUnreachable,
    ReportMismatch,
    SignatureError,
    SourceSignatureError,
    UntrustedKey,
    VersionTooOld,
)
from edgekit.errors.compiler import (
    AcceleratorDisagreement,
    CaptureError,
    CompileError,
    ConversionMismatch,
    DataDependentShape,
    Disagreement,
    FixedLength,
    FloatDisagreement,
    ForwardError,
    HalfOverflow,
    LengthDisagreement,
    LoadError,
    LoweringError,
    LoweringTimeout,
    Nondeterministic,
    PassError,
    SpecializedCapture,
    StateMismatch,
    StateUnsupported,
    UnstableFactory,
    UnsupportedModelFile,
    UnsupportedOperator,
    WeightsMismatch,
)
from edgekit.errors.device import (
    AcceleratorCrashed,
    AcceleratorHung,
    AcceleratorLibraryMissing,
    AcceleratorMemory,
    AcceleratorMissing,
    AcceleratorNotFinite,
    AcceleratorPackageMissing,
    AdapterMissing,
    AnswerMismatch,
    AuthenticationRefused,
    BootFailed,
    CommandFailed,
    ConnectionLost,
    ContextMismatch,
    DeviceAmbiguous,
    DeviceBusy,
    DeviceError,
    DriverMissing,
    EmulationError,
    HostKeyChanged,
    ImageDamaged,
    NumberFormatRefused,
    OperatorsRefused,
    PackError,
    PortTaken,
    ProbeError,
    RuntimeMismatch,
    RuntimeMissing,
    SelfTestFailed,
    SlotDamaged,
    StateGarbled,
    ToolsMissing,
    TooSmall,
    TrustLost,
    Unreachable,
)
from edgekit.errors.host import CacheInUse, Crash, Interrupted, MemoryLimit, MissingExtra, OutputBusy, StorageError
from edgekit.errors.serving import (
    ModelMismatch,
    ServerFailed,
    ServerNotStarted,
    ServerRefused,
    ServerUnreachable,
    ServingError,
)
from edgekit.errors.usage import (
    Ambiguous,
    ClassMismatch,
    DataError,
    EmptyClass,
    FunctionRefused,
    HiddenPackage,
    Misfit,
    ModelFileError,
    OptionError,
    OutOfRange,
    PictureError,
    ProjectExists,
    RecordingError,
    SampleUnfit,
    ScaffoldError,
    SequenceError,
    SpecError,
    TokenizerMismatch,
    UnknownName,
    UnprotectedFile,
    UnsafePickle,
    UsageError,
)

__all__ = [
    "AcceleratorCrashed",
    "AcceleratorDisagreement",
    "AcceleratorHung",
    "AcceleratorLibraryMissing",
    "AcceleratorMemory",
    "AcceleratorMissing",
    "AcceleratorNotFinite",
    "AcceleratorPackageMissing",
    "AdapterMissing",
    "Ambiguous",
    "AnswerMismatch",
    "AuthenticationRefused",
    "BootFailed",
    "BundleError",
    "CacheInUse",
    "CaptureError",
    "ClassMismatch",
    "CommandFailed",
    "CompileError",
    "ConnectionLost",
    "ContextMismatch",
    "ConversionMismatch",
    "Crash",
    "DataDependentShape",
    "DataError",
    "DeviceAmbiguous",
    "DeviceBusy",
    "DeviceError",
    "Disagreement",
    "DriverMissing",
    "EdgekitError",
    "EmptyClass",
    "EmulationError",
    "Expired",
    "ExportError",
    "FixedLength",
    "FloatDisagreement",
    "ForwardError",
    "FunctionRefused",
    "HalfOverflow",
    "HiddenPackage",
    "HostKeyChanged",
    "ImageDamaged",
    "Incompatible",
    "Interrupted",
    "KeyLocked",
    "KeyUnreachable",
    "LengthDisagreement",
    "LoadError",
    "LoweringError",
    "LoweringTimeout",
    "MemoryLimit",
    "Misfit",
    "MissingExtra",
    "ModelFileError",
    "ModelMismatch",
    "Nondeterministic",
    "NumberFormatRefused",
    "OperatorsRefused",
    "OptionError",
    "OutOfRange",
    "OutputBusy",
    "PackError",
    "PassError",
    "PictureError",
    "PortTaken",
    "ProbeError",
    "ProjectExists",
    "RecordingError",
    "ReportMismatch",
    "RuntimeMismatch",
    "RuntimeMissing",
    "SampleUnfit",
    "ScaffoldError",
    "SelfTestFailed",
    "SequenceError",
    "ServerFailed",
    "ServerNotStarted",
    "ServerRefused",
    "ServerUnreachable",
    "ServingError",
    "SignatureError",
    "SlotDamaged",
    "SourceSignatureError",
    "SpecError",
    "SpecializedCapture",
    "StateGarbled",
    "StateMismatch",
    "StateUnsupported",
    "StorageError",
    "TokenizerMismatch",
    "TooSmall",
    "ToolsMissing",
    "TrustLost",
    "UnknownName",
    "UnprotectedFile",
    "Unreachable",
    "UnsafePickle",
    "UnstableFactory",
    "UnsupportedModelFile",
    "UnsupportedOperator",
    "UntrustedKey",
    "UsageError",
    "VersionTooOld",
    "WeightsMismatch",
    "all_errors",
    "nearest",
    "suggest",
]
