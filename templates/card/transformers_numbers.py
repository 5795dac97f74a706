from transformers import pipeline

predict = pipeline("text-classification", model="DIR", function_to_apply="none", top_k=None)
print(predict(INPUT, truncation=True))
