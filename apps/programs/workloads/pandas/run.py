# Group-by, merge and sort of tables of some 100 000 rows: columns of 1 to 4 MB that live for one step of the analysis.
import numpy
import pandas

ROUNDS = 3
ROWS = 400_000
rng = numpy.random.default_rng(3)
sales = pandas.DataFrame(
    {
        "shop": rng.integers(0, 2000, ROWS),
        "item": rng.integers(0, 500, ROWS),
        "count": rng.integers(1, 20, ROWS),
        "price": rng.integers(100, 9999, ROWS),
    }
)
shops = pandas.DataFrame({"shop": numpy.arange(2000), "region": rng.integers(0, 40, 2000)})
for i in range(ROUNDS):
    table = sales[sales["count"] > i].merge(shops, on="shop")
    table["turnover"] = table["count"] * table["price"]
    by_region = table.groupby(["region", "item"])["turnover"].agg(["sum", "max", "count"]).reset_index()
    best = by_region.sort_values(["sum", "region", "item"]).tail(5)
    wide = by_region.pivot(index="item", columns="region", values="sum").fillna(0)
    print(best.to_csv(index=False), int(wide.to_numpy().sum()), len(table.sort_values(["price", "item"])), sep="\n")
