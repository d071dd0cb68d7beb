"""A query's rows by mssql-python, as Arrow, into a Parquet file; says how many there were.

usage: by_mssql_python.py QUERY FILE

The source is that of ETL_SOURCE_URL and ETL_SOURCE_PASSWORD. It runs in an environment that has mssql-python and pyarrow.
"""

import os
import sys
import urllib.parse

import mssql_python
import pyarrow.parquet

BATCH_ROWS = 65_536


def main():
    query, file = sys.argv[1:]
    source = urllib.parse.urlsplit(os.environ["ETL_SOURCE_URL"])
    connection = mssql_python.connect(
        f"Server={source.hostname},{source.port};Database={source.path[1:]};UID={source.username};"
        f"PWD={os.environ['ETL_SOURCE_PASSWORD']};Encrypt=no;TrustServerCertificate=yes"
    )
    cursor = connection.cursor()
    cursor.execute(query)
    batches = cursor.arrow_reader(batch_size=BATCH_ROWS)
    rows = 0
    with pyarrow.parquet.ParquetWriter(file, batches.schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    print(rows)


main()
