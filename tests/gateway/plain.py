"""Runs the paragraphs of a file, each by the extended protocol, and prints what comes of them."""

import os
import sys

import psycopg

text = open(sys.argv[1], encoding="utf-8").read()
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    for statement in text.split("\n\n"):
        if statement.startswith("--"):
            continue
        print("==", statement.strip())
        try:
            # Parameters, even none, make psycopg parse, bind and execute.
            cursor = connection.execute(statement.replace("%", "%%"), ())
            print(cursor.statusmessage)
            if cursor.description:
                print([(column.name, column.type_code if column.type_code < 16384 else "own") for column in cursor.description])
                for row in cursor.fetchall():
                    print(row)
        except psycopg.Error as error:
            print(error.sqlstate, error.diag.message_primary)
