import onnxruntime
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("DIR")
session = onnxruntime.InferenceSession("DIR/model.onnx")
texts = tokenizer(INPUT, padding=True, truncation=True, return_tensors="np")
[logits] = session.run(["logits"], {i.name: texts[i.name] for i in session.get_inputs()})
