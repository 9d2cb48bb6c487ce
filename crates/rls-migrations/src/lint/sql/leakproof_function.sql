-- Functions of somebody's own that are trusted below policies.
SELECT f.oid::regprocedure::text,
       'it is run on rows before the policy decides on them, and what it says about them is trusted',
       format('ALTER ROUTINE %s NOT LEAKPROOF', f.oid::regprocedure)
  FROM pg_catalog.pg_proc f
  JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
 WHERE f.proleakproof
   AND n.nspname <> ALL ('{pg_catalog, information_schema}')
