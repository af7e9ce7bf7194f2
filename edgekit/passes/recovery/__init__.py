"""Fine-tuning of a pruned model, and quantization-aware training."""
