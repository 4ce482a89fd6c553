output "backend" {
  # "vault"
  value = provider::whimbrel::parse_reference("secret://vault/shop/database#password").secret
}
