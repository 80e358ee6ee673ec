"""Score a system under a protocol: ``python evaluate.py --help``."""

import sys

try:
    from audiolcm.environment.guard import one_sentence
except ModuleNotFoundError:  # as pip refuses a Python that is too old
    sys.exit(f"{sys.executable} has no AudioLCM (which needs Python 3.11 or newer). In the checkout's folder type: "
             "pip install -c constraints.txt -e .")  # fmt: skip

with one_sentence():
    import hydra
    from omegaconf import DictConfig

    from audiolcm.commands.entry import begin
    from audiolcm.configuration.mistakes import explained_words
    from audiolcm.environment.terminal import exit_code

begin("evaluate")


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """Hand the composed configuration to the framework; torch is imported only now, so that --help is fast."""
    with one_sentence():
        from audiolcm.jobs.run import run_job
        from evaluation.run import evaluate

    run_job(cfg, evaluate)


if __name__ == "__main__":
    with explained_words("evaluate"):
        main()
    sys.exit(exit_code())
