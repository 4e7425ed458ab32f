"""Saves the graph as an MLflow model of the onnx flavour. Arguments: graph file, empty directory."""

import sys

import mlflow.onnx
import onnx

options = {"intra_op_num_threads": 1, "inter_op_num_threads": 1}
mlflow.onnx.save_model(onnx.load(sys.argv[1]), sys.argv[2], onnx_session_options=options, pip_requirements=[])
