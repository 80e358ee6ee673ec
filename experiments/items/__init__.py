"""The paper's tables and figures, one module each with the stem of its file in conf/experiment."""
