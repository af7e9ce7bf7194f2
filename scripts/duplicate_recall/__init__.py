"""Recall and precision of the duplicate gate on CIFAR-10, by ciFAIR's list of test pictures with a twin in training."""
