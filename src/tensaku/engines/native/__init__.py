"""Our own engine: the decoder that trains also serves, int8, with many adapters in one batch.

linear.py    the weights in int8 or fp32, adapters beside them, grouped by adapter within one pass
adapter.py   a PEFT folder, checked against the base
cache.py     keys and values of each slot; which of them a new prompt can start from
attend.py    attention over the cache
model.py     one pass: rows of several streams in, the most probable next words out
drafter.py   guesses the next words from a text that the answer is expected to resemble
house.py     what lessons say of how drafts become finals
trust.py     how far each sign that a word comes next is to be trusted
forms.py     a draft in the house's notation
answer.py    one answer on its way: its tokens, its text, its reader
loop.py      the thread that admits, runs and ends answers, step by step
engine.py    the engine itself
"""
