from fixtures import (  # noqa: F401
    digits,
    few_steps,
    linear,
    quick,
    refused,
    run_here,
    write_files,
)
