from local.hosts import image


def test_another_recipe_is_another_folder():
    assert image.digest("a", "b") != image.digest("ab")


def test_the_image_holds_nothing_that_a_deploy_installs():
    assert not set(image.PACKAGES) & set(image.ARCHIVE)
