"""Perturbations of samples, as the field has them: Samples → Samples, the same bytes on every machine.

Rooms: `perturbation` the protocol, `input_domain` the values that an input may have, `draws` random numbers by sample,
`registry` which perturbations fit which inputs, `pictures` those of pictures. numpy and Pillow; no torch, no device.
"""
