from transformers import pipeline

classify = pipeline("text-classification", model="DIR", top_k=None)
print(classify(INPUT, truncation=True))
