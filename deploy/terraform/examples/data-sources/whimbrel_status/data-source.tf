data "whimbrel_status" "shop" {
  source      = "https://git.example.org/acme/shop.git"
  environment = "production"
}

check "nothing_is_pending" {
  assert {
    condition     = data.whimbrel_status.shop.pending == 0
    error_message = "${data.whimbrel_status.shop.pending} migrations are pending."
  }
}
