"""Judgement of what serving devices count: accuracy now against at commit, what shifted, and alarms."""
