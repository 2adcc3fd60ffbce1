"""`python -m resample_ct`, which is what `torchrun -m resample_ct` starts."""

from resample_ct.cli import main

main()
