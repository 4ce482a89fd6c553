DROP INDEX products_by_category;
