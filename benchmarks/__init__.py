"""What makes the figures in docs/benchmarks/.

Run from the checkout: `python -m benchmarks.speed`, `.overhead`, `.screening`, `.unknown`, `.samples`,
`.md.run` or `.md.accuracy`; each tells its options with `--help`.
"""
