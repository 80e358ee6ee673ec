"""Train the student of a configuration, and whatever parent of it is missing: ``python train.py --help``."""

import sys

try:
    from audiolcm.environment.guard import one_sentence
except ModuleNotFoundError:  # as pip refuses a Python that is too old
    sys.exit(f"{sys.executable} has no AudioLCM (which needs Python 3.11 or newer). In the checkout's folder type: "
             "pip install -c constraints.txt -e .")  # fmt: skip

with one_sentence():
    import hydra
    from omegaconf import DictConfig

    from audiolcm.configuration.mistakes import explained_words
    from audiolcm.configuration.plugins import import_from_here
    from audiolcm.configuration.resolvers import register_resolvers
    from audiolcm.configuration.words import readable, respelled, rows_are_a_sweep
    from audiolcm.environment import terminal
    from audiolcm.environment.guard import allow_lazy_help, settle_user
    from audiolcm.environment.interrupts import ignore_until_ready
    from hydra_plugins.audiolcm_plugins import register_launchers

terminal.prepare()
settle_user()
ignore_until_ready()
allow_lazy_help()
import_from_here()
register_resolvers()
register_launchers()
sys.argv = rows_are_a_sweep([sys.argv[0], *respelled("train", readable(sys.argv[1:]))])


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Hand the composed configuration to the framework; torch is imported only now, so that --help is fast."""
    with one_sentence():
        from audiolcm.jobs.run import run_training

    return run_training(cfg)


if __name__ == "__main__":
    with explained_words("train"):
        main()
    sys.exit(terminal.exit_code())
