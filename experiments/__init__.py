"""One module for each table and figure of the paper, named as its file in conf/experiment."""
