"""Predictions from stored ONNX graphs: sessions and payload codecs. Nothing here imports torch."""
