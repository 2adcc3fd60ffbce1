"""The product on the network: receives CT series, reconstructs them, sends the derived series on."""
