"""Atlas: all runs found below some folders, on one page: targets, backends, profiles, verdicts, failures."""
