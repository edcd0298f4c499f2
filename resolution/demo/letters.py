"""What customers of the demo company write, and strangers who write for the first time."""

from __future__ import annotations

# Subject, text. {number} is an order's number.
LETTERS = (
    (
        "Where is my parcel?",
        "Hello, order {number} should have been here on Friday. Can you look where it is?",
    ),
    ("Wrong size", "The jacket from order {number} is too small. How do I send it back?"),
    ("Invoice", "Please send me the invoice for order {number} again, I cannot find it any more."),
    ("New address", "I have moved. Please change the delivery address of order {number}."),
    ("Thank you", "Order {number} came a day early. Just wanted to say thank you!"),
    ("Voucher does not work", "The code from your last letter is refused for order {number}."),
    ("Cancel an order", "Please cancel order {number}, I ordered it twice by mistake."),
    ("Broken on arrival", "The lamp from order {number} arrived broken. I can send a photograph."),
    ("Question about a product", "Does the kettle from order {number} switch off by itself?"),
    ("Newsletter", "I get your newsletter twice since order {number}. Once is enough."),
)
TICKETS = (
    "Parcel lost", "Refund is late", "Exchange for another size", "Double payment", "Damaged on arrival",
    "Change of address", "Voucher refused", "Cannot sign in",
)  # fmt: skip
# People the company has never heard of.
STRANGERS = (
    ("Ottilie", "Brandgartner"), ("Fergus", "Mallinder"), ("Solvei", "Askelund"), ("Teodoro", "Belvisano"),
    ("Imke", "Harmsdorff"), ("Ignacy", "Borkowiak"), ("Perpetua", "Villamonte"), ("Cosmo", "Ravenhurst"),
    ("Ludivine", "Charmoille"), ("Anselm", "Quittenbaum"), ("Sidony", "Trewhella"), ("Rasmus", "Lindeborg"),
    ("Zdislava", "Horakovska"), ("Evander", "Pellingham"), ("Mirtha", "Echeandia"), ("Jorun", "Haugsvaer"),
    ("Leocadia", "Prusinovska"), ("Bartel", "Oosterwold"), ("Fiamma", "Scarpellino"),
    ("Gwenllian", "Prosserby"),
)  # fmt: skip
