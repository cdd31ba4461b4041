"""What methods cost: `robomtl bench methods`."""

from robomtl.bench.command import BenchMethodsConfig, bench_methods

__all__ = ["BenchMethodsConfig", "bench_methods"]
