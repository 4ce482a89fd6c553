# The commit that the branch is now: a plan that somebody looked at is applied as it is, whatever is pushed meanwhile.
data "whimbrel_plan" "next" {
  source      = "https://git.example.org/acme/shop.git"
  ref         = "main"
  environment = "production"
}

resource "whimbrel_environment" "shop" {
  source      = data.whimbrel_plan.next.source
  ref         = data.whimbrel_plan.next.revision
  environment = "production"
  on_destroy  = "fail"

  timeouts {
    create = "30m"
    update = "30m"
  }
}
