import L from 'leaflet'
import type { Device, GridCollection, GridProperties } from '@/api/types'
import { token } from '@/theme/theme'
import { deviceLook, gridLook, type Look } from './look'

/** About what a name of seven Chinese characters and its number take. */
const NAME_PX = 116

export interface PlanTexts {
  grid: (grid: GridProperties) => string
  device: (device: Device) => string
}

export interface PlanEvents {
  pickGrid: (code: string) => void
  pickDevice: (id: number) => void
}

function style(look: Look): L.PathOptions {
  return {
    color: token(look.line),
    weight: look.weight,
    fillColor: token(look.fill),
    fillOpacity: look.opacity,
    ...(look.dash === undefined ? {} : { dashArray: look.dash }),
  }
}

/** Names and numbers come from the service's data: text, never markup. */
function text(content: string, className = ''): HTMLElement {
  const element = document.createElement('span')
  element.textContent = content
  element.className = className
  return element
}

/** The map: grids, their open cases, devices. It needs no tiles, since the grids are the ground. */
export class Plan {
  private readonly map: L.Map
  private readonly numbers = L.layerGroup()
  private readonly markers = L.layerGroup()
  private readonly placed = new Map<number, L.CircleMarker>()
  private grids: L.GeoJSON<GridProperties> | null = null
  private shape = ''
  private home: L.LatLngBounds | null = null
  private readonly watcher: ResizeObserver

  constructor(
    private readonly element: HTMLElement,
    private readonly texts: PlanTexts,
    private readonly events: PlanEvents,
  ) {
    this.map = L.map(element, {
      preferCanvas: true,
      attributionControl: false,
      zoomControl: false,
      zoomSnap: 0.25,
      minZoom: 8,
      maxZoom: 19,
    })
    L.control.zoom({ position: 'bottomright' }).addTo(this.map)
    // Devices lie above the grids, whatever is drawn last.
    this.map.createPane('devices').style.zIndex = '450'
    this.numbers.addTo(this.map)
    this.markers.addTo(this.map)
    this.map.setView([39.9, 116.4], 12)
    this.map.on('zoomend', () => { this.spareNames() })
    this.watcher = new ResizeObserver(() => {
      this.map.invalidateSize({ pan: false })
      this.fit()
    })
    this.watcher.observe(element)
  }

  /** Draws the grids; the view stays where it is unless the shapes are new. */
  drawGrids(collection: GridCollection, chosen: string | null): void {
    const shape = collection.features.map((feature) => feature.properties.code).join()
    this.grids?.remove()
    this.numbers.clearLayers()
    this.grids = L.geoJSON<GridProperties>(collection, {
      style: (feature) => (feature ? style(gridLook(feature.properties, feature.properties.code === chosen)) : {}),
      onEachFeature: (feature, layer) => {
        const grid = feature.properties
        layer.bindTooltip(() => text(this.texts.grid(grid)), { sticky: true, direction: 'top' })
        layer.on('click', () => { this.events.pickGrid(grid.code) })
        if (layer instanceof L.Polygon) this.label(grid, layer.getBounds())
      },
    }).addTo(this.map)
    if (shape !== this.shape) {
      this.shape = shape
      const bounds = this.grids.getBounds()
      this.home = bounds.isValid() ? bounds : null
      this.fit()
      this.spareNames()
    }
  }

  /** Places the devices that have a position; known ones are moved and repainted. */
  drawDevices(devices: readonly Device[]): void {
    const left = new Set(this.placed.keys())
    for (const device of devices) {
      if (device.longitude === null || device.latitude === null) continue
      left.delete(device.id)
      const place: L.LatLngTuple = [device.latitude, device.longitude]
      const marker = this.placed.get(device.id) ?? this.mark(device.id, place)
      marker.setLatLng(place).setStyle(style(deviceLook(device.presence)))
      marker.setTooltipContent(text(this.texts.device(device)))
    }
    for (const id of left) {
      this.placed.get(id)?.remove()
      this.placed.delete(id)
    }
  }

  fit(): void {
    if (this.home !== null && this.element.clientWidth > 0) this.map.fitBounds(this.home, { padding: [24, 24], animate: false })
  }

  remove(): void {
    this.watcher.disconnect()
    this.map.remove()
  }

  private mark(id: number, place: L.LatLngTuple): L.CircleMarker {
    const marker = L.circleMarker(place, { radius: 6, pane: 'devices', renderer: this.renderer() })
    marker.bindTooltip('', { direction: 'top', offset: [0, -6] })
    marker.on('click', () => { this.events.pickDevice(id) })
    this.placed.set(id, marker)
    return marker.addTo(this.markers)
  }

  private canvas: L.Canvas | null = null

  private renderer(): L.Canvas {
    this.canvas ??= L.canvas({ pane: 'devices', padding: 0.3 })
    return this.canvas
  }

  /** Name and number along the upper edge: the middle belongs to the devices. */
  private label(grid: GridProperties, bounds: L.LatLngBounds): void {
    const content = document.createElement('div')
    content.append(text(grid.name, 'grid-name'))
    if (grid.open_cases > 0) content.append(text(String(grid.open_cases), `grid-number ${grid.severity ?? ''}`))
    const icon = L.divIcon({ className: 'grid-label', html: content, iconSize: [0, 0] })
    const at = L.latLng(bounds.getNorth(), bounds.getCenter().lng)
    L.marker(at, { icon, interactive: false, keyboard: false }).addTo(this.numbers)
  }

  /** Names only where a grid is wide enough to hold one. */
  private spareNames(): void {
    const first = this.grids?.getLayers().find((layer) => layer instanceof L.Polygon)?.getBounds()
    const width = first === undefined ? 0 : this.map.latLngToContainerPoint(first.getNorthEast()).x - this.map.latLngToContainerPoint(first.getNorthWest()).x
    this.element.classList.toggle('no-names', width < NAME_PX)
  }
}
