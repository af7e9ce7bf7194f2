"""The program that runs on the device, of the standard library, numpy and one runtime.

The host imports it as `edgekit.runner`; on a device, and inside a server, it is the folder `runner` by itself.
"""
