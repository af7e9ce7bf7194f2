"""ONNX models as torch networks: the operators of common networks, folded to the project's shapes."""
