"""Table of backends × accelerators × precisions in docs/accelerators.md: refused, built, or run and compared."""
