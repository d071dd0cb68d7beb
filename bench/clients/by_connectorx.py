"""A query's rows by ConnectorX over one connection, as Arrow, into a Parquet file; says how many there were.

usage: by_connectorx.py QUERY FILE

The source is that of ETL_SOURCE_URL and ETL_SOURCE_PASSWORD. It runs in an environment that has connectorx and pyarrow.
"""

import os
import sys
import urllib.parse

import connectorx
import pyarrow.parquet


def main():
    query, file = sys.argv[1:]
    source = urllib.parse.urlsplit(os.environ["ETL_SOURCE_URL"])
    password = urllib.parse.quote(os.environ["ETL_SOURCE_PASSWORD"], safe="")
    server = f"{source.username}:{password}@{source.hostname}:{source.port}{source.path}"
    url = f"mssql://{server}?encrypt=false&trust_server_certificate=true"
    table = connectorx.read_sql(url, query, return_type="arrow")
    pyarrow.parquet.write_table(table, file, compression="zstd")
    print(table.num_rows)


main()
