"""A stand-in for an accelerator: a program in place of `-m runner` that runs `.onnx` on `qnn-htp` by the CPU.

Its first argument says how it behaves: `rounds` (as a good one), `slow`, `leaves` (most operators), `software`, `lies`,
`flips` (lies about what is no golden sample), `nan`, `hangs`, `dies` (it is killed), `crashes`, `falls` (crashes once
it was chosen), `driver`, `library`, `missing`; its second is the folder or zip of the runner, the rest the runner's
arguments. The CPU itself is slowed by two milliseconds, so that a good accelerator is the quicker one.

Three more have a sensor of energy, by which an inference draws 3 mJ on the CPU: on the accelerator, 1 mJ with `saves`,
which is slow, and 5 mJ with `draws`; `hides` is as `saves`, with a sensor that sees the processor only.
"""

STAND_IN = """
import os, signal, sys, time

sys.path.insert(0, sys.argv[2])
import numpy as np
from runner.errors import RunnerError
from runner.model.accelerator import AcceleratorFacts
from runner.runtimes import select_runtime
from runner.runtimes.onnx import OnnxRuntime

BEHAVIOUR = sys.argv[1]
METERED = BEHAVIOUR in ("saves", "draws", "hides")
DRAWN = [0.0]

class Meter:
    whole = BEHAVIOUR != "hides"
    def start(self):
        self.before = DRAWN[0]
    def look(self):
        pass
    def stop(self):
        return {"joules": DRAWN[0] - self.before, "seconds": 1.0, "method": "a stand-in", "uncertainty": 0.1}

if METERED:
    from runner.machine import energy
    from runner.timing import inference_energy
    energy.meter = Meter
    inference_energy.LEAST_S = 0.1

class StandIn(OnnxRuntime):
    def load(self, manifest, threads):
        if BEHAVIOUR == "library":
            raise RunnerError("library", "'libQnnHtp.so' is not there")
        if BEHAVIOUR == "driver":
            raise RuntimeError("driver of another version")
        if BEHAVIOUR == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if BEHAVIOUR == "crashes" or (BEHAVIOUR == "falls" and sys.argv[3] != "slots"):
            os.kill(os.getpid(), signal.SIGSEGV)
        call = super().load(manifest._replace(accelerator=None), threads)
        taken = 1 if BEHAVIOUR == "leaves" else 7
        self.accelerator = AcceleratorFacts(
            "qnn-htp", "Stand-in", "1.0", BEHAVIOUR == "software", "int8", 7, taken
        )
        return lambda inputs: answer(call, inputs)

def answer(call, inputs):
    if BEHAVIOUR == "hangs":
        signal.pause()
    DRAWN[0] += 0.005 if BEHAVIOUR == "draws" else 0.001
    if BEHAVIOUR in ("slow", "saves", "hides"):
        time.sleep(0.02)
    outputs = [np.array(output) for output in call(inputs)]
    if BEHAVIOUR == "nan":
        outputs[0][...] = np.nan
    if BEHAVIOUR == "lies" or (BEHAVIOUR == "flips" and sys.argv[3] != "slots"):
        outputs[0] = -outputs[0]
    if BEHAVIOUR == "rounds":
        outputs[0] = outputs[0].astype(np.float16).astype(np.float32)
    return outputs

class Cpu(OnnxRuntime):
    def load(self, manifest, threads):
        call = super().load(manifest, threads)
        def slowly(inputs):
            time.sleep(0.002)
            DRAWN[0] += 0.003
            return call(inputs)
        return slowly

select_runtime.ACCELERATED["qnn-htp"] = StandIn
if BEHAVIOUR == "missing":
    del select_runtime.ACCELERATED["qnn-htp"]
select_runtime.RUNTIMES["onnx"] = Cpu
from runner.__main__ import main
sys.exit(main(sys.argv[3:]))
"""
