# One argument, the data folder: a document of 400 pages with tables, as LibreOffice's flat XML.
import random
import sys

random.seed(47)
words = [f"w{random.getrandbits(18):x}" for _ in range(3000)]
table = '<table:table table:name="t%d"><table:table-column table:number-columns-repeated="4"/>%s</table:table>'
row = "<table:table-row>%s</table:table-row>"
cell = '<table:table-cell office:value-type="string"><text:p>%s</text:p></table:table-cell>'
with open(f"{sys.argv[1]}/document.fodt", "w", encoding="utf-8") as file:
    file.write('<?xml version="1.0" encoding="UTF-8"?>\n<office:document'
               ' xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
               ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
               ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
               ' office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.text">'
               "<office:body><office:text>\n")
    for i in range(600):
        file.write("<text:p>%s</text:p>\n" % " ".join(random.choices(words, k=150)))
        if i % 10 == 0:
            rows = (row % "".join(cell % random.choice(words) for _ in range(4)) for _ in range(20))
            file.write(table % (i, "".join(rows)) + "\n")
    file.write("</office:text></office:body></office:document>\n")
