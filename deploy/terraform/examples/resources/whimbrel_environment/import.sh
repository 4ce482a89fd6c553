# SOURCE,ENVIRONMENT, with @REF behind the source if a ref is followed
terraform import whimbrel_environment.shop https://git.example.org/acme/shop.git@main,production
